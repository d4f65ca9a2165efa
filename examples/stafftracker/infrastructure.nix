# Two machines. East has two servers of each kind, west has one.
let
  machine = hostname: containers: { properties = { inherit hostname; }; inherit containers; };

  # The account root of the operating system needs no password here.
  mysql = instance: mysqlPort: {
    inherit mysqlPort;
    mysqlUsername = "root";
    mysqlSocket = "/run/mysqld-${instance}/mysqld.sock";
  };
  tomcat = instance: tomcatPort: {
    inherit tomcatPort;
    catalinaBaseDir = "/srv/tomcat-${instance}";
  };
  supervisord = instance: {
    supervisordTargetDir = "/etc/supervisor-${instance}/conf.d";
    supervisordConfigFile = "/etc/supervisor-${instance}/supervisord.conf";
  };
in
{
  east = machine "east" {
    mysql-database-primary = mysql "primary" 3306;
    mysql-database-secondary = mysql "secondary" 3307;
    tomcat-webapplication-primary = tomcat "primary" 8080;
    tomcat-webapplication-secondary = tomcat "secondary" 8081;
    supervisord-program-primary = supervisord "primary";
    supervisord-program-secondary = supervisord "secondary";
  };
  west = machine "west" {
    mysql-database = mysql "primary" 3306;
    tomcat-webapplication = tomcat "primary" 8080;
    supervisord-program = supervisord "primary";
  };
}
