"""What is served is what the OpenAPI document says: tried by a program that reads the document and nothing else."""
