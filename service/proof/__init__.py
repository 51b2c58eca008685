"""What makes history believable to somebody who trusts neither the database nor us: a tree over all rows, whose signed
heads are kept elsewhere."""
