# Which service goes where, and into which of several servers of a kind.
{ infrastructure
, staff ? { target = infrastructure.east; container = "mysql-database-secondary"; }
}:

let
  on = place: { targets = [ place ]; };
in
{
  rooms = on { target = infrastructure.east; container = "mysql-database-primary"; };
  staff = on staff;
  zipcodes = [ infrastructure.west ];

  location-service = on { target = infrastructure.east; container = "tomcat-webapplication-primary"; };
  staff-service = [ infrastructure.west ];
  stafftracker = on { target = infrastructure.east; container = "tomcat-webapplication-secondary"; };

  finger = on { target = infrastructure.east; container = "supervisord-program-secondary"; };
}
