"""What a caller may give: types, names for ids, templates, cursors."""
