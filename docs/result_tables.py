"""The tables of README and docs by their names, each from the rows of docs/results."""

import accuracy_tables
import head_tables
import scale_tables
import speed_tables
import video_tables

TABLES = {
    **accuracy_tables.TABLES,
    **head_tables.TABLES,
    **speed_tables.TABLES,
    **video_tables.TABLES,
    **scale_tables.TABLES,
}
