"""Discrete graph diffusion: noise model, denoiser, training, sampling."""
