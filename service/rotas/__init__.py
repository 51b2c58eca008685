"""Rotas: who is on duty when, by the week in a time zone, or as a calendar that people already keep elsewhere.

A rota is written out as plain windows for the weeks to come, in the database: guards read those and nothing else, so a
calendar that can't be reached, or a rule that nobody understands, decides nothing. A calendar is fetched now and then;
the last one that was good stays until there is a better one.
"""
