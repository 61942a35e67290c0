"""Networks on tensors: the encoder, its heads, the text encoder and the label bank."""
