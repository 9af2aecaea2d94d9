"""Learning from wrong traces beside right ones ("Turning dust into gold", Li et al., arXiv:2312.12832)."""
