{ infrastructure }:
with infrastructure;
{
  primary = [ node1 ];
  secondary = [ node1 ];
  shop.targets = [
    { target = node1; container = "tomcat-webapplication-primary"; }
    { target = node1; container = "tomcat-webapplication-secondary"; }
  ];
  watcher = [ node2 ];
}
