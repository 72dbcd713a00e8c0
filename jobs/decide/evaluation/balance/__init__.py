"""The law of quality balance (县域义务教育优质均衡): exact judgement, and what it would take."""
