CREATE TABLE staff (
  id   INT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(60) NOT NULL UNIQUE,
  room VARCHAR(10) NOT NULL
);

INSERT INTO staff (name, room) VALUES
  ('Ada',    'EWI-1020'),
  ('Edsger', 'EWI-8190'),
  ('Grace',  'IO-3.10');
