"""From raw archives to batches: channels, recordings, datasets on disk, windows, patches, loaders."""
