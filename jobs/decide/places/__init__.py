"""Places: how many pupils each unit of a school system will have, by grade, and how sure that is."""
