"""A flow as a picture: ``picture`` draws figures and lines, ``tree`` says which of them a pipeline_tree has."""
