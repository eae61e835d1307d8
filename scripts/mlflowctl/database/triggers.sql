-- The registry guard, part 2: what is attached to MLflow's tables. Triggers of one moment fire by name,
-- hence the numbers: queue, protect, switch, record, settle.

CREATE TRIGGER mlflowctl_1_queue BEFORE DELETE OR UPDATE ON @registry@.model_versions
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.queue();

CREATE TRIGGER mlflowctl_1_queue_insert BEFORE INSERT ON @registry@.model_versions
  FOR EACH ROW EXECUTE FUNCTION mlflowctl.queue();

CREATE TRIGGER mlflowctl_2_protect BEFORE DELETE OR UPDATE OF workspace, name, version, current_stage
  ON @registry@.model_versions FOR EACH ROW EXECUTE FUNCTION mlflowctl.protect();

CREATE TRIGGER mlflowctl_3_switch AFTER INSERT OR UPDATE OF current_stage ON @registry@.model_versions
  FOR EACH ROW EXECUTE FUNCTION mlflowctl.switch();

CREATE TRIGGER mlflowctl_4_record AFTER INSERT OR DELETE OR UPDATE OF current_stage ON @registry@.model_versions
  FOR EACH ROW EXECUTE FUNCTION mlflowctl.record_stage();

CREATE CONSTRAINT TRIGGER mlflowctl_5_settle AFTER INSERT OR DELETE OR UPDATE OF current_stage
  ON @registry@.model_versions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mlflowctl.settle();

CREATE TRIGGER mlflowctl_6_truncate BEFORE TRUNCATE ON @registry@.model_versions
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.refuse_truncate();

CREATE TRIGGER mlflowctl_1_queue BEFORE INSERT OR DELETE OR UPDATE ON @registry@.registered_model_aliases
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.queue();

-- MLflow touches the model's row (last_updated_time) before or after the row that it is about.
CREATE TRIGGER mlflowctl_1_queue BEFORE DELETE OR UPDATE ON @registry@.registered_models
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.queue();

-- Deleting a model begins with its tags.
CREATE TRIGGER mlflowctl_1_queue BEFORE DELETE ON @registry@.registered_model_tags
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.queue();

CREATE TRIGGER mlflowctl_1_queue BEFORE DELETE ON @registry@.model_version_tags
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.queue();

CREATE CONSTRAINT TRIGGER mlflowctl_5_settle AFTER INSERT OR DELETE OR UPDATE ON @registry@.registered_model_aliases
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mlflowctl.settle_alias();

CREATE TRIGGER mlflowctl_6_truncate BEFORE TRUNCATE ON @registry@.registered_model_aliases
  FOR EACH STATEMENT EXECUTE FUNCTION mlflowctl.refuse_truncate();

CREATE TRIGGER mlflowctl_4_record AFTER UPDATE OF workspace, name ON @registry@.registered_models
  FOR EACH ROW EXECUTE FUNCTION mlflowctl.record_rename();

CREATE TRIGGER mlflowctl_4_record AFTER INSERT OR DELETE OR UPDATE ON @registry@.registered_model_tags
  FOR EACH ROW EXECUTE FUNCTION mlflowctl.record_retire();

-- The last line: even with every trigger gone, two Production versions cannot be committed.
ALTER TABLE @registry@.model_versions ADD CONSTRAINT mlflowctl_one_production
  EXCLUDE USING btree (workspace WITH =, name WITH =) WHERE (((current_stage)::text = 'Production'::text))
  DEFERRABLE INITIALLY DEFERRED;
