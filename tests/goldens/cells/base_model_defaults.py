base_model = "owner/name"
