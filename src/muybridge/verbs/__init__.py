"""One verb, one file or folder. A verb never imports a verb."""
