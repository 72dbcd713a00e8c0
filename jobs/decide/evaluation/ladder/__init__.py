"""The supervision ladder 预警 → 提醒 → 通报 → 约谈 → 问责: signals, rules as data, and a memory."""
