"""The weekly review: what a week came to, against the four before it, and what people made of it.

`domain.md`, "Review"; the document's "Metrics and Review". Each measure is one SELECT of `sql/reports/`; what is here
puts them beside each other. Nothing is kept but what people write: the figures of a week are read when they are asked.
"""
