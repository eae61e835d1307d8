-- The registry guard, the history: every stage change, by whatever client. It outlives the guard:
-- removing or upgrading the guard keeps the table and what protects it.

CREATE TABLE IF NOT EXISTS mlflowctl.history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  role text NOT NULL DEFAULT session_user,
  event text NOT NULL,
  workspace text NOT NULL,
  model text NOT NULL,
  version integer,
  from_stage text,
  to_stage text,
  former_workspace text,
  former_model text
);

CREATE INDEX IF NOT EXISTS history_by_model ON mlflowctl.history (workspace, model, id);

COMMENT ON TABLE mlflowctl.history IS 'Stage changes, renames and retirements, written by triggers, append-only';

CREATE OR REPLACE FUNCTION mlflowctl.history_append_only()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_OP = 'INSERT' AND pg_trigger_depth() > 1 THEN  -- from a trigger of the guard, not from a client
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'mlflowctl guard [history-append-only]: % on mlflowctl.history is refused: the history is '
    'written by the guard''s triggers alone and never changed. Nothing was changed. To remove it with the '
    'guard, see docs/guard.md', TG_OP
    USING ERRCODE = 'check_violation', CONSTRAINT = 'history-append-only';
END
$function$;

CREATE TRIGGER mlflowctl_history BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON mlflowctl.history
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.history_append_only();
