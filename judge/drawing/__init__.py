"""What reports draw with: safe text in every format, SVG, the steps of a slow judge."""
