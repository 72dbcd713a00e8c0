-- What: a district, a stage or a year is lost, or stands under another year, by the official bulletin.
-- When it matters: every figure above would be short by it. How to resolve: `told` names each cell; get the missing
-- file from its sender. If the bulletin itself is wrong, a correcting delivery of `control_total` says so on record.
{{ config(meta={
    'tells': true,
    'way_out': 'Get what is missing from its sender. If the bulletin itself is wrong, hand the corrected rows in as dataset '
        ~ 'control_total (feed district_statistics, with the document that corrects it under 公报名称): the newest statement '
        ~ 'of a row counts, and both stay on record. docs/runbooks/failed-audit.md'
}) }}
{{ control_cells('stops') }}
