CREATE TABLE room (
  room    VARCHAR(10) NOT NULL PRIMARY KEY,
  street  VARCHAR(60) NOT NULL,
  zipcode CHAR(7)     NOT NULL
);

INSERT INTO room VALUES
  ('EWI-1020', 'Mekelweg 4',          '2628 CD'),
  ('EWI-8190', 'Mekelweg 4',          '2628 CD'),
  ('IO-3.10',  'Landbergstraat 15',   '2628 CE'),
  ('AE-201',   'Kluyverweg 1',        '2629 HS');
