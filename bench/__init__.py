"""Frame to callback: both stacks against the shortest code that does the job, in one interleaved run."""
