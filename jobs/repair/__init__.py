"""What is damaged on the disk, and how it is mended."""
