"""Encoders of other libraries behind our interface; each library is an extra, imported only when it is named."""
