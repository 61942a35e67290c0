"""From a recording to named activities: zero-shot, enrolled, with abstention, as a timeline."""
