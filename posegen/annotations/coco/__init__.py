"""COCO keypoint files: found, read entry by entry, and checked."""
