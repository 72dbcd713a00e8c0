"""体质健康：优良率随年级和性别的变化。 Fitness: the share rated good or excellent by grade and sex."""

import marimo

app = marimo.App(width="medium", app_title="体质健康 Fitness")

with app.setup:
    import altair as alt
    import marimo as mo

    from jobs import origin, settings
    from jobs.publish import release


@app.cell
def opened():
    # 只读连接：只能查询当前发布版。 Read-only: the current release and nothing else.
    site = settings.load()
    current = release.current(site)
    mo.stop(
        current is None, mo.md(f"尚无发布版，请先运行 `{site.command('run')}`。 There is no release yet.")
    )
    connection = release.open_release(current, "city")
    made_up = origin.LINE if current.is_synthetic else ""
    mo.md(f"{site.title_zh}，发布版 release {current.number}，{current.manifest['as_of_date']}。 {made_up}")
    return (connection,)


@app.cell
def ask(connection):
    years = [
        year
        for (year,) in connection.sql(
            "select distinct school_year from fct_fitness_rate where unit_level = 'city' order by 1 desc"
        ).fetchall()
    ]
    year = mo.ui.dropdown(years, value=years[0], label="学年 school year")
    mo.vstack(
        [
            mo.md(
                """
        # 各年级男女生优良率
        优良率在哪个年级下降？男女生差多少？阴影为 95% 区间；学校上报数据，不含抽查复核。

        Share rated good or excellent, with the 95 % interval; uploads of schools, without rechecks.
        """
            ),
            year,
        ]
    )
    return (year,)


@app.cell
def rate(connection, year):
    rates = connection.execute(
        """
        select
            grade_key as 年级, case sex_code when '1' then '男' else '女' end as 性别,
            good_or_excellent_share::double as 优良率, scored_count as 人数,
            good_or_excellent_low_share::double as 下限, good_or_excellent_high_share::double as 上限
        from fct_fitness_rate
        where unit_level = 'city' and result_kind = 'upload' and school_year = ?
            and sex_code in ('1', '2') and regexp_full_match(grade_key, '[PJS][1-6]')
        order by case grade_key[1] when 'P' then 1 when 'J' then 2 else 3 end, grade_key, 性别
        """,
        [year.value],
    ).df()
    grades = list(dict.fromkeys(rates["年级"]))
    base = alt.Chart(rates).encode(
        x=alt.X("年级:N", sort=grades),
        color=alt.Color("性别:N", scale=alt.Scale(range=["#d6604d", "#4393c3"])),
    )
    band = base.mark_area(opacity=0.2).encode(y=alt.Y("下限:Q", title=""), y2="上限:Q")
    line = base.mark_line(point=True).encode(
        y=alt.Y("优良率:Q", axis=alt.Axis(format=".0%"), title="优良率 good or excellent"),
        tooltip=["年级", "性别", "优良率", "人数"],
    )
    mo.ui.altair_chart(band + line)
    return (rates,)


@app.cell
def answer(rates):
    by_sex = rates.pivot(index="年级", columns="性别", values="优良率").dropna()
    apart = (by_sex["女"] - by_sex["男"]).abs()
    mo.md(
        f"男女生相差最大的年级是 **{apart.idxmax()}**，相差 {apart.max():.1%}。"
        f" Girls and boys differ most in {apart.idxmax()}, by {apart.max():.1%}."
    )
    return


if __name__ == "__main__":
    app.run()
