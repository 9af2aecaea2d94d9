"""The pages, and what they share. They only draw: what is drawn comes from the modules of `app`."""
