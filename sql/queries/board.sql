-- The console's board: what stands, and what was closed today.

-- name: cards(tier, priority, situation, person, customer_id, overdue, state, most)
-- For each state the most urgent ones, by the deadline that comes next; what was closed today, the latest first. With
-- each how many its column has in all, and how many of those are overdue. `person` owns it or is offered it.
WITH shown AS (
    SELECT * FROM escalation WHERE closed_at IS NULL
    UNION ALL
    SELECT * FROM escalation WHERE closed_at >= date_trunc('day', (SELECT service_now()), 'UTC')
), ranked AS MATERIALIZED (
    SELECT e.id, e.state, d.due, t.priority, t.subject,
        row_number() OVER (PARTITION BY e.state ORDER BY d.due NULLS LAST, e.closed_at DESC, e.id) AS place,
        count(*) OVER (PARTITION BY e.state) AS column_holds,
        count(*) FILTER (WHERE d.due < (SELECT service_now())) OVER (PARTITION BY e.state) AS column_overdue
    FROM shown e JOIN ticket t ON t.id = e.ticket_id,
        LATERAL (SELECT least(e.engage_by, e.respond_by, e.next_update_by) AS due) AS d
    WHERE ($1::text IS NULL OR e.tier = $1)
        AND ($2::text IS NULL OR t.priority = $2)
        AND ($3::text IS NULL OR EXISTS (
            SELECT FROM json_array_elements(e.situations) AS s WHERE s ->> 'situation' = $3))
        AND ($4::text IS NULL OR e.owner = $4 OR e.offered_to = $4)
        AND ($5::text IS NULL OR e.customer_id = $5)
        AND ($6::boolean IS NULL OR d.due < (SELECT service_now()))
        AND ($7::text IS NULL OR e.state = $7)
)
SELECT e.id::text, e.ticket_id, e.customer_id, c.name AS customer, e.tier, e.state, e.level, e.owner, e.offered_to,
    coalesce(o.name, e.owner) AS owner_name, coalesce(f.name, e.offered_to) AS offered_name,
    e.engage_by, e.respond_by, e.next_update_by, e.closed_at, e.criterion, r.due, r.priority, r.subject,
    r.column_holds, r.column_overdue,
    ARRAY(SELECT s ->> 'situation' FROM json_array_elements(e.situations) AS s) AS situations
FROM ranked r JOIN escalation e ON e.id = r.id JOIN customer c ON c.id = e.customer_id
    LEFT JOIN person o ON o.id = e.owner LEFT JOIN person f ON f.id = e.offered_to
WHERE r.place <= $8::integer ORDER BY r.state, r.place

-- name: now()
SELECT service_now()
