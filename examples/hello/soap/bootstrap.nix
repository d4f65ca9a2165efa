# How three machines are reached. That is enough for
#   disnix-capture-infra soap/bootstrap.nix > soap/captured.nix
# to ask each of them what it has.
{
  # The machine of the coordinator itself.
  desk = {
    properties.hostname = "desk";
    clientInterface = "disnix-run-activity";
  };

  # Through SSH.
  office = {
    properties.hostname = "office";
    clientInterface = "disnix-ssh-client";
  };

  # Through HTTPS, behind a web server that asks for a password.
  shop = {
    properties.hostname = "shop";
    properties.targetEPR = "https://shop/DisnixWebService/services/DisnixWebService";
    targetProperty = "targetEPR";
    clientInterface = "disnix-soap-client";
  };
}
