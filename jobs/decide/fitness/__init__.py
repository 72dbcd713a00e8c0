"""Decision service: fitness 体质健康."""
