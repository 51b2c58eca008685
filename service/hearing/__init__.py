"""Hearing: what is found in a customer's words before they are decided on."""
