"""The dashboard: Streamlit pages that talk HTTP to the API and hold no trading state.

`app.py` is the script that a server runs for every visitor; `views/` has a module for each page,
`parts/` what pages are made of, `client.py` the only way to the API. Of the program only
`advisor.api.schemas` is imported.
"""
