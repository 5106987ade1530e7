"""Other people's libraries, one a file, none imported before it is used."""
