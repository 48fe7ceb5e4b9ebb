-- The copied rows go with their tables (0001). Nothing was taken from the legacy tables.
SELECT 1;
