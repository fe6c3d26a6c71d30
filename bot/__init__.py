"""The core of Locus: values, ports, pipeline, answering, settings and the command line."""
