"""What wrong traces teach, as plain functions: losses over them, and what a model of two LoRAs says."""
