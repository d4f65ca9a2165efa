CREATE TABLE zipcode (
  zipcode CHAR(7)     NOT NULL PRIMARY KEY,
  city    VARCHAR(60) NOT NULL
);

INSERT INTO zipcode VALUES
  ('2628 CD', 'Delft'),
  ('2628 CE', 'Delft'),
  ('2629 HS', 'Delft');
