"""Classes and subclasses of resources."""

from contracts.resource_classes import RESOURCE_CLASSES, is_same_class, is_same_subclass, title_of


def test_postgres_and_postgresql_are_one_among_databases_only() -> None:
    assert is_same_subclass("database", "postgres", "postgresql")
    assert is_same_subclass("database", "postgresql", "postgres")
    assert not is_same_subclass("database", "postgres", "mysql")
    assert not is_same_subclass("service", "postgres", "postgresql")
    assert is_same_subclass("teapot", "brown", "brown")


def test_classes_and_subclasses_are_one_however_they_are_written() -> None:
    for written in ("ObjectStorage", "Object Storage", "OBJECT_STORAGE"):
        assert is_same_class(written, "object-storage")
        assert is_same_subclass(written, "S3", "s3")
    assert not is_same_class("Tea Pot", "teapot")
    assert is_same_subclass("Database", "Postgres", "PostgreSQL")
    assert is_same_subclass("security", "Secret Manager", "secret-manager")
    assert not is_same_subclass("object-storage", "", "s3")


def test_names_have_titles_also_those_that_nobody_knows() -> None:
    assert [title_of(name) for name in ("object-storage", "s3", "postgresql", "tea-pot", "")] == [
        "Object Storage", "S3", "PostgreSQL", "Tea Pot", ""
    ]  # fmt: skip


def test_the_tree_names_each_class_once() -> None:
    names = [each.name for each in RESOURCE_CLASSES]
    assert len(names) == len(set(names)) == 15
    [databases] = [each for each in RESOURCE_CLASSES if each.name == "database"]
    assert [each.name for each in databases.subclasses] == ["postgresql", "mysql", "mongodb", "redis"]
