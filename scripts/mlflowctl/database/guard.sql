-- The registry guard, part 1: its functions. Part 2 is triggers.sql, the history is history.sql.
--
-- Every statement stands exactly as pg_get_functiondef, pg_get_triggerdef and pg_get_constraintdef
-- print it (white space aside): mlflowctl compares what stands in the catalog with these files word
-- for word, so a changed guard is found without trusting anything that is recorded in the database.
-- Tokens: @registry@ is the schema of MLflow's tables, @level@ and @several@ are the settings,
-- @version@ is the version in manifest.py (raise it with every change to these files).
--
-- Rules for the code below: schema-qualify everything, pin search_path, never trust OLD rows after a
-- wait (query again instead), and refuse with check_violation: MLflow answers that with HTTP 400 and
-- the message, at once. Error classes that psycopg2 calls operational (40, 53, 55, 57) become HTTP 503,
-- which MLflow's clients retry for minutes: right for "busy" and for a migration, wrong for a refusal.
-- The name in brackets, also sent as CONSTRAINT, is what programs go by; the text is for people.

CREATE OR REPLACE FUNCTION mlflowctl.guard_version()
 RETURNS integer
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$SELECT @version@$function$;

-- exactly-one: a model that has a champion keeps one. at-most-one: it may be left without.
CREATE OR REPLACE FUNCTION mlflowctl.level()
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$SELECT '@level@'$function$;

CREATE OR REPLACE FUNCTION mlflowctl.several_challengers()
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$SELECT @several@$function$;

-- Whether the model carries the tag that allows zero champions (its value "false" does not count).
CREATE OR REPLACE FUNCTION mlflowctl.retired(workspace_ text, model text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RETURN EXISTS (
    SELECT FROM @registry@.registered_model_tags t
     WHERE t.workspace = workspace_ AND t.name = model AND t.key = 'mlflowctl.retire'
       AND lower(t.value) IS DISTINCT FROM 'false');
END
$function$;

-- One queue for everything that can change who serves. Everything a transaction decides after this
-- point it decides alone, so no two transactions can each pass a check that together they violate.
-- MLflow's calls lock the same rows in different orders (a stage change the version, then the model; a
-- deletion the model, then the version), so each must come here before its first write: hence statement
-- triggers on all tables of the registry, and hence one lock for all models (a statement trigger fires
-- before it is known which rows are meant). Queue time is bounded: a client that hangs inside its
-- transaction must not hang all others.
CREATE OR REPLACE FUNCTION mlflowctl.queue()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '20s'
AS $function$
BEGIN
  IF TG_LEVEL = 'ROW' THEN  -- an insert; registering an ordinary version needs no queue
    IF NEW.current_stage IS NULL OR NEW.current_stage NOT IN ('Production', 'Staging') THEN
      RETURN NEW;
    END IF;
  END IF;
  PERFORM pg_advisory_xact_lock(1835820652, 1);
  RETURN NEW;
EXCEPTION WHEN lock_not_available THEN
  RAISE EXCEPTION 'mlflowctl guard [busy]: another change of the registry has been open for more than 20 s. '
    'Nothing was changed. Try again; the session that holds it is shown by: SELECT pid, usename, query '
    'FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = ''advisory'' AND classid = 1835820652 AND granted'
    USING ERRCODE = 'lock_not_available';
END
$function$;

-- What can be refused at once is refused at once, before the client waits for anything else.
CREATE OR REPLACE FUNCTION mlflowctl.protect()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF OLD.current_stage = 'Production' AND (TG_OP = 'DELETE' OR NEW.current_stage = 'Deleted_Internal')
     AND NOT mlflowctl.retired(OLD.workspace, OLD.name)
     -- A client that deletes the whole model deletes its tags in the same transaction, perhaps first.
     AND NOT EXISTS (
       SELECT FROM mlflowctl.history h
        WHERE h.workspace = OLD.workspace AND h.model = OLD.name AND h.event = 'retire tag removed'
          AND h.transaction = pg_current_xact_id())
  THEN
    RAISE EXCEPTION 'mlflowctl guard [champion-kept]: version % is the champion (Production) of model "%" and '
      'cannot be deleted. Nothing was changed. Promote its successor first, then delete it. To '
      'take the whole model out of service, set the registered-model tag mlflowctl.retire on '
      'it, then delete.',
      OLD.version, OLD.name
      USING ERRCODE = 'check_violation', CONSTRAINT = 'champion-kept';
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  -- A client that read the version before another one deleted it must not bring it back.
  IF OLD.current_stage = 'Deleted_Internal' AND NEW.current_stage IS DISTINCT FROM 'Deleted_Internal' THEN
    IF NEW.current_stage = 'Archived' THEN  -- most likely archived on the way to promoting another one
      NEW.current_stage := OLD.current_stage;
    ELSE
      RAISE EXCEPTION 'mlflowctl guard [version-deleted]: version % of model "%" was deleted. Nothing was changed. '
        'Choose another version, or register this one again.',
        OLD.version, OLD.name
        USING ERRCODE = 'check_violation', CONSTRAINT = 'version-deleted';
    END IF;
  END IF;
  IF NEW.version <> OLD.version
     OR ((NEW.workspace, NEW.name) IS DISTINCT FROM (OLD.workspace, OLD.name)
         -- A rename of the whole model arrives here as a cascade, when the old name is gone already.
         AND EXISTS (SELECT FROM @registry@.registered_models m
                      WHERE m.workspace = OLD.workspace AND m.name = OLD.name))
  THEN
    RAISE EXCEPTION 'mlflowctl guard [version-stays]: version % of model "%" cannot be renumbered or moved to '
      'another model. Nothing was changed. Register it again under the other name; rename a '
      'whole model with rename_registered_model.',
      OLD.version, OLD.name
      USING ERRCODE = 'check_violation', CONSTRAINT = 'version-stays';
  END IF;
  RETURN NEW;
END
$function$;

-- The switch: whoever sets a stage, by whatever client, the rest follows in the same transaction.
CREATE OR REPLACE FUNCTION mlflowctl.switch()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.current_stage IS NOT DISTINCT FROM OLD.current_stage THEN
      RETURN NULL;
    END IF;
    -- On deletion MLflow removes the aliases itself; what it leaves, settle() removes at the commit.
    IF OLD.current_stage = 'Staging' AND NEW.current_stage IS DISTINCT FROM 'Deleted_Internal' THEN
      DELETE FROM @registry@.registered_model_aliases a
       WHERE a.workspace = NEW.workspace AND a.name = NEW.name AND a.alias = 'challenger' AND a.version = NEW.version;
    END IF;
  END IF;
  IF NEW.current_stage = 'Staging' THEN
    INSERT INTO @registry@.registered_model_aliases AS a (workspace, name, alias, version)
    VALUES (NEW.workspace, NEW.name, 'challenger', NEW.version)
    ON CONFLICT (workspace, name, alias) DO UPDATE SET version = EXCLUDED.version;
  ELSIF NEW.current_stage = 'Production' THEN
    PERFORM mlflowctl.crown(NEW.workspace, NEW.name, NEW.version, NEW.last_updated_time);
  END IF;
  RETURN NULL;
END
$function$;

-- A version became Production: archive its predecessor, move the aliases, end a retirement.
CREATE OR REPLACE FUNCTION mlflowctl.crown(workspace_ text, model text, version_ integer, changed bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  former integer;
BEGIN
  -- One statement may set several versions at once; then the first one wins and archived this one.
  IF NOT EXISTS (SELECT FROM @registry@.model_versions v
                  WHERE v.workspace = workspace_ AND v.name = model AND v.version = version_
                    AND v.current_stage = 'Production')
  THEN
    RETURN;
  END IF;
  UPDATE @registry@.model_versions v SET current_stage = 'Archived', last_updated_time = changed
   WHERE v.workspace = workspace_ AND v.name = model AND v.version <> version_ AND v.current_stage = 'Production';
  -- The alias, not the row archived above, says who was champion: a client that archives by itself
  -- (archive_existing_versions) may have done so a statement earlier.
  SELECT a.version INTO former FROM @registry@.registered_model_aliases a
   WHERE a.workspace = workspace_ AND a.name = model AND a.alias = 'champion';
  INSERT INTO @registry@.registered_model_aliases AS a (workspace, name, alias, version)
  VALUES (workspace_, model, 'champion', version_)
  ON CONFLICT (workspace, name, alias) DO UPDATE SET version = EXCLUDED.version;
  IF former IS NULL THEN  -- back into service after a retirement: it is not its own predecessor
    DELETE FROM @registry@.registered_model_aliases a
     WHERE a.workspace = workspace_ AND a.name = model AND a.alias = 'previous' AND a.version = version_;
  ELSIF former <> version_ THEN
    INSERT INTO @registry@.registered_model_aliases AS a (workspace, name, alias, version)
    VALUES (workspace_, model, 'previous', former)
    ON CONFLICT (workspace, name, alias) DO UPDATE SET version = EXCLUDED.version;
  END IF;
  DELETE FROM @registry@.registered_model_tags t
   WHERE t.workspace = workspace_ AND t.name = model AND t.key = 'mlflowctl.retire';
END
$function$;

-- At the commit: tidy aliases that a stage change left behind, then check the whole model.
CREATE OR REPLACE FUNCTION mlflowctl.settle()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.current_stage IN ('Production', 'Staging') THEN
      PERFORM mlflowctl.verify(NEW.workspace, NEW.name, 'stage');
    END IF;
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.current_stage IS NOT DISTINCT FROM OLD.current_stage THEN
    RETURN NULL;
  END IF;
  DELETE FROM @registry@.registered_model_aliases a
   WHERE a.workspace = OLD.workspace AND a.name = OLD.name AND a.version = OLD.version
     AND a.alias IN ('challenger', 'previous')
     AND NOT EXISTS (
       SELECT FROM @registry@.model_versions v
        WHERE v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
          AND CASE a.alias WHEN 'challenger' THEN v.current_stage = 'Staging'
                           ELSE v.current_stage IS DISTINCT FROM 'Deleted_Internal' END);
  PERFORM mlflowctl.verify(OLD.workspace, OLD.name,
                           CASE OLD.current_stage WHEN 'Production' THEN 'champion left' ELSE 'stage' END);
  RETURN NULL;
END
$function$;

-- Only what the alias is about: the stage change that it follows has its own event, which knows more.
CREATE OR REPLACE FUNCTION mlflowctl.settle_alias()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  changed @registry@.registered_model_aliases[] := '{}';
  alias_ @registry@.registered_model_aliases;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    changed := changed || OLD;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    changed := changed || NEW;
  END IF;
  FOREACH alias_ IN ARRAY changed LOOP
    IF alias_.alias = 'champion' THEN
      PERFORM mlflowctl.verify(alias_.workspace, alias_.name, 'champion alias');
    ELSIF alias_.alias IN ('challenger', 'previous') THEN
      PERFORM mlflowctl.verify_others(alias_.workspace, alias_.name);
    END IF;
  END LOOP;
  RETURN NULL;
END
$function$;

-- The rules, on the state that is about to be committed; cause is the event that asks, one of several in
-- the transaction: that a champion left, or that its alias was moved, is judged by that event alone.
CREATE OR REPLACE FUNCTION mlflowctl.verify(workspace_ text, model text, cause text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  champions integer[];
  champion integer;
BEGIN
  IF NOT EXISTS (SELECT FROM @registry@.registered_models m WHERE m.workspace = workspace_ AND m.name = model) THEN
    RETURN;  -- deleted, or renamed: the new name is checked by the events of the rename
  END IF;
  SELECT array_agg(v.version ORDER BY v.version) INTO champions FROM @registry@.model_versions v
   WHERE v.workspace = workspace_ AND v.name = model AND v.current_stage = 'Production';
  SELECT a.version INTO champion FROM @registry@.registered_model_aliases a
   WHERE a.workspace = workspace_ AND a.name = model AND a.alias = 'champion';
  IF champions IS NULL THEN
    IF cause = 'champion left' AND mlflowctl.level() = 'exactly-one' AND NOT mlflowctl.retired(workspace_, model) THEN
      RAISE EXCEPTION 'mlflowctl guard [champion-required]: model "%" would be left without a champion '
        '(Production version). Nothing was changed. Promote the successor instead, in one call: '
        'transition that version to Production and the present champion is archived with it. To '
        'take the model out of service on purpose, set the registered-model tag mlflowctl.retire '
        'on it first.',
        model
        USING ERRCODE = 'check_violation', CONSTRAINT = 'champion-required';
    ELSIF champion IS NOT NULL AND cause = 'champion left' THEN
      PERFORM mlflowctl.uncrown(workspace_, model, champion);
    ELSIF champion IS NOT NULL AND cause = 'champion alias' THEN
      RAISE EXCEPTION 'mlflowctl guard [champion-alias]: alias champion of model "%" cannot name version %, '
        'which is not in Production. Nothing was changed. Transition that version to Production '
        'instead; the alias follows by itself.',
        model, champion
        USING ERRCODE = 'check_violation', CONSTRAINT = 'champion-alias';
    END IF;
  ELSIF cardinality(champions) > 1 THEN
    RAISE EXCEPTION 'mlflowctl guard [one-champion]: versions % of model "%" would all be in Production. '
      'Nothing was changed. Run mlflowctl doctor: the guard is damaged.',
      array_to_string(champions, ', '), model
      USING ERRCODE = 'check_violation', CONSTRAINT = 'one-champion';
  ELSIF champion IS DISTINCT FROM champions[1] THEN
    RAISE EXCEPTION 'mlflowctl guard [champion-alias]: alias champion of model "%" must name version %, its '
      'Production version. Nothing was changed. Transition the wanted version to Production '
      'instead; the alias follows by itself.',
      model, champions[1]
      USING ERRCODE = 'check_violation', CONSTRAINT = 'champion-alias';
  END IF;
  PERFORM mlflowctl.verify_others(workspace_, model);
END
$function$;

-- The last champion left on purpose: alias champion goes with it, alias previous remembers it.
CREATE OR REPLACE FUNCTION mlflowctl.uncrown(workspace_ text, model text, former integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  DELETE FROM @registry@.registered_model_aliases a
   WHERE a.workspace = workspace_ AND a.name = model AND a.alias = 'champion';
  INSERT INTO @registry@.registered_model_aliases AS a (workspace, name, alias, version)
  SELECT v.workspace, v.name, 'previous', v.version FROM @registry@.model_versions v
   WHERE v.workspace = workspace_ AND v.name = model AND v.version = former
     AND v.current_stage IS DISTINCT FROM 'Deleted_Internal'
  ON CONFLICT (workspace, name, alias) DO UPDATE SET version = EXCLUDED.version;
END
$function$;

-- Challenger and previous.
CREATE OR REPLACE FUNCTION mlflowctl.verify_others(workspace_ text, model text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  challengers integer[];
  challenger integer;
  previous integer;
BEGIN
  SELECT array_agg(v.version ORDER BY v.version) INTO challengers FROM @registry@.model_versions v
   WHERE v.workspace = workspace_ AND v.name = model AND v.current_stage = 'Staging';
  SELECT a.version INTO challenger FROM @registry@.registered_model_aliases a
   WHERE a.workspace = workspace_ AND a.name = model AND a.alias = 'challenger';
  SELECT a.version INTO previous FROM @registry@.registered_model_aliases a
   WHERE a.workspace = workspace_ AND a.name = model AND a.alias = 'previous';
  IF cardinality(challengers) > 1 AND NOT mlflowctl.several_challengers() THEN
    RAISE EXCEPTION 'mlflowctl guard [one-challenger]: versions % of model "%" would all be in Staging, and '
      'it may have one challenger. Nothing was changed. Replace the present challenger in one '
      'call: transition to Staging with archive_existing_versions=True (mlflowctl model stage '
      '--replace), or move it out of Staging first.',
      array_to_string(challengers, ', '), model
      USING ERRCODE = 'check_violation', CONSTRAINT = 'one-challenger';
  ELSIF challenger IS NOT NULL AND challenger <> ALL (coalesce(challengers, '{}')) THEN
    RAISE EXCEPTION 'mlflowctl guard [challenger-alias]: alias challenger of model "%" cannot name version %, '
      'which is not in Staging. Nothing was changed. Transition that version to Staging '
      'instead; the alias follows by itself.',
      model, challenger
      USING ERRCODE = 'check_violation', CONSTRAINT = 'challenger-alias';
  ELSIF challenger IS NULL AND cardinality(challengers) = 1 AND NOT mlflowctl.several_challengers() THEN
    RAISE EXCEPTION 'mlflowctl guard [challenger-alias]: alias challenger of model "%" must name version %, '
      'its Staging version. Nothing was changed. Move that version out of Staging instead; the '
      'alias follows by itself.',
      model, challengers[1]
      USING ERRCODE = 'check_violation', CONSTRAINT = 'challenger-alias';
  END IF;
  IF previous IS NOT NULL AND NOT EXISTS (
       SELECT FROM @registry@.model_versions v
        WHERE v.workspace = workspace_ AND v.name = model AND v.version = previous
          AND v.current_stage IS DISTINCT FROM 'Deleted_Internal')
  THEN
    RAISE EXCEPTION 'mlflowctl guard [previous-alias]: alias previous of model "%" cannot name version %, '
      'which does not exist. Nothing was changed. Name an existing version; the next promotion '
      'sets this alias by itself.',
      model, previous
      USING ERRCODE = 'check_violation', CONSTRAINT = 'previous-alias';
  END IF;
END
$function$;

CREATE OR REPLACE FUNCTION mlflowctl.refuse_truncate()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RAISE EXCEPTION 'mlflowctl guard [no-truncate]: table % cannot be emptied by TRUNCATE while the guard '
    'stands. Nothing was changed. Remove the guard first (docs/guard.md).',
    TG_TABLE_NAME
    USING ERRCODE = 'check_violation', CONSTRAINT = 'no-truncate';
  RETURN NULL;
END
$function$;

-- The history is written by these three alone. They run with the rights of the guard's owner, so they
-- look at which table fired them: anybody may attach a trigger function to a table of his own.
CREATE OR REPLACE FUNCTION mlflowctl.record_stage()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_RELID <> '@registry@.model_versions'::regclass THEN
    RAISE EXCEPTION 'mlflowctl.record_stage serves @registry@.model_versions only' USING ERRCODE = '42501';
  END IF;
  IF TG_OP = 'DELETE' THEN
    INSERT INTO mlflowctl.history (event, workspace, model, version, from_stage)
    VALUES ('version removed', OLD.workspace, OLD.name, OLD.version, OLD.current_stage);
  ELSIF TG_OP = 'INSERT' THEN
    IF NEW.current_stage <> 'None' THEN
      INSERT INTO mlflowctl.history (event, workspace, model, version, to_stage)
      VALUES ('stage', NEW.workspace, NEW.name, NEW.version, NEW.current_stage);
    END IF;
  ELSIF NEW.current_stage IS DISTINCT FROM OLD.current_stage THEN
    INSERT INTO mlflowctl.history (event, workspace, model, version, from_stage, to_stage)
    VALUES ('stage', NEW.workspace, NEW.name, NEW.version, OLD.current_stage, NEW.current_stage);
  END IF;
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION mlflowctl.record_rename()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_RELID <> '@registry@.registered_models'::regclass THEN
    RAISE EXCEPTION 'mlflowctl.record_rename serves @registry@.registered_models only' USING ERRCODE = '42501';
  END IF;
  IF (NEW.workspace, NEW.name) IS NOT DISTINCT FROM (OLD.workspace, OLD.name) THEN
    RETURN NULL;
  END IF;
  -- The checks at the commit look a model up by the name it had at its stage change.
  IF EXISTS (SELECT FROM mlflowctl.history h
              WHERE h.workspace = OLD.workspace AND h.model = OLD.name AND h.transaction = pg_current_xact_id()
                AND h.event IN ('stage', 'version removed'))
  THEN
    RAISE EXCEPTION 'mlflowctl guard [rename-alone]: model "%" cannot change stages and its name in the same '
      'transaction. Nothing was changed. Commit the stage change first, then rename.',
      OLD.name
      USING ERRCODE = 'check_violation', CONSTRAINT = 'rename-alone';
  END IF;
  INSERT INTO mlflowctl.history (event, workspace, model, former_workspace, former_model)
  VALUES ('renamed', NEW.workspace, NEW.name, OLD.workspace, OLD.name);
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION mlflowctl.record_retire()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_RELID <> '@registry@.registered_model_tags'::regclass THEN
    RAISE EXCEPTION 'mlflowctl.record_retire serves @registry@.registered_model_tags only' USING ERRCODE = '42501';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.key, lower(NEW.value)) IS NOT DISTINCT FROM (OLD.key, lower(OLD.value)) THEN
      RETURN NULL;  -- the cascade of a rename
    END IF;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    IF OLD.key = 'mlflowctl.retire' AND lower(OLD.value) IS DISTINCT FROM 'false' THEN
      INSERT INTO mlflowctl.history (event, workspace, model)
      VALUES ('retire tag removed', OLD.workspace, OLD.name);
    END IF;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    IF NEW.key = 'mlflowctl.retire' AND lower(NEW.value) IS DISTINCT FROM 'false' THEN
      INSERT INTO mlflowctl.history (event, workspace, model)
      VALUES ('retire tag set', NEW.workspace, NEW.name);
    END IF;
  END IF;
  RETURN NULL;
END
$function$;
