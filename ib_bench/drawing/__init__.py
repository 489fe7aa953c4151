"""How results look: columns, tables, charts, labels and styles. Nothing here knows what is measured."""
