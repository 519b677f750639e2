"""What Tokenward costs, beside others under the same load: `python -m benchmarks`. See docs/benchmarks.md."""
