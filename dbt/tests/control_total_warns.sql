-- What: a count of ours differs from the official bulletin, or a district that it prints has sent nothing yet.
-- When it matters: readers compare both. How to resolve: `reason` in fct_control_total says what was found.
{{ config(severity='warn') }}
{{ control_cells('warns') }}
