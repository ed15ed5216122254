"""What each command of the command line does, a file a part of the pipeline."""
