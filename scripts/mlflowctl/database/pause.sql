-- While a schema migration runs, the guard is off the tables (a migration may have to change the very
-- columns that it watches), and this stands in its place, so that no unguarded change slips through:
-- every client but the migration is told to come back (HTTP 503, which MLflow's clients retry).

CREATE OR REPLACE FUNCTION mlflowctl.closed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF current_setting('mlflowctl.migration', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'mlflowctl guard [migration]: the registry is closed for changes while its database schema is '
    'migrated. Nothing was changed. Try again in a minute; if this stays, run: mlflowctl bootstrap'
    USING ERRCODE = 'cannot_connect_now';
END
$function$;

CREATE TRIGGER mlflowctl_0_closed BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON @registry@.model_versions
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.closed();

CREATE TRIGGER mlflowctl_0_closed BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON @registry@.registered_model_aliases
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.closed();
