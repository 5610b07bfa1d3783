"""What a model stands beside, and what needs no model itself: what these are called."""

LOOK_UP = "look_up"  # the label of the most similar training image
MAJORITY = "majority"  # the commonest label
HEADER = "header"  # what is learned from files' headers alone
STATISTICS = "statistics"  # what is learned from four figures of brightness
REFERENCES = (LOOK_UP, MAJORITY, HEADER, STATISTICS)
