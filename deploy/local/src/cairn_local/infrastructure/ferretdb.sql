CREATE FUNCTION public.cairn_add_containment_index() RETURNS event_trigger LANGUAGE plpgsql AS $function$
DECLARE
    made record;
    fields text;
BEGIN
    FOR made IN
        SELECT i.indexrelid, i.indrelid, i.indnatts, t.relname AS table_name, n.nspname AS schema_name
        FROM pg_event_trigger_ddl_commands() AS c
        JOIN pg_index AS i ON i.indexrelid = c.objid
        JOIN pg_class AS x ON x.oid = i.indexrelid
        JOIN pg_am AS a ON a.oid = x.relam
        JOIN pg_class AS t ON t.oid = i.indrelid
        JOIN pg_namespace AS n ON n.oid = t.relnamespace
        WHERE c.object_type = 'index' AND a.amname = 'btree' AND t.relname NOT LIKE '\_ferretdb\_%'
    LOOP
        SELECT string_agg(format('%s jsonb_path_ops', wanted.field), ', ')
        INTO fields
        FROM (
            SELECT DISTINCT pg_get_indexdef(made.indexrelid, position, false) AS field
            FROM generate_series(1, made.indnatts) AS position
            EXCEPT
            SELECT pg_get_indexdef(g.indexrelid, position, false)
            FROM pg_index AS g
            JOIN pg_class AS x ON x.oid = g.indexrelid
            JOIN pg_am AS a ON a.oid = x.relam AND a.amname = 'gin'
            CROSS JOIN LATERAL generate_series(1, g.indnatts) AS position
            WHERE g.indrelid = made.indrelid
        ) AS wanted
        WHERE wanted.field ~ '^\(*_jsonb -> ''([^'']|'''')*''::text\)*$';
        CONTINUE WHEN fields IS NULL;
        EXECUTE format(
            'CREATE INDEX %I ON %I.%I USING gin (%s) WITH (fastupdate = off)',
            'cairn_containment_' || made.indexrelid, made.schema_name, made.table_name, fields
        );
    END LOOP;
END
$function$;

CREATE EVENT TRIGGER cairn_containment_index ON ddl_command_end
    WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION public.cairn_add_containment_index();

