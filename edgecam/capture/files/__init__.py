"""Video files and folders of pictures."""
